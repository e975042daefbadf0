"""From scripts to pages: executes chapters, checks their prose, renders and checks the book."""
