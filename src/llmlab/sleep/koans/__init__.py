"""Small broken programs, each with a solution, and judges that compile and run them."""
