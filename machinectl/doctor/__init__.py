"""What is wrong with a machine or this computer: looked at, judged, and changed nowhere.

`machine` and `here` look; what they find is judged by the other modules, which are pure, a Check for each.
"""
