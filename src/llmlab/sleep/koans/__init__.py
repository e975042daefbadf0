"""Small broken programs, each with a solution, and judges that compile and run them.

1. `koan`: what a koan is, and the handwritten ones.
2. `grammar`, `rust_grammar`, `python_grammar`: templates of broken programs.
   `generated`: koans drawn from them, each verified.
3. `verdict`, `running`: what a judge says; how many programs share a process.
   `rust`, `python`, `python_harness`: the two judges. `judges` chooses; `store` caches results.
4. `check`: proves that koans are red for the declared reason, and green when solved.
"""
