"""One verb per file: plain values, a Store and a Console in; plain values out."""
