"""From scripts to pages: execute chapters, check their prose, render and check the book."""
