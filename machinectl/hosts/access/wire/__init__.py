"""What two people send each other to share a machine: requests and answers, as text for a chat or a file."""
