import sympy
from IPython.display import Math, display
from sympy.abc import x

solutions = sympy.solve(x**2 - 2, x)
assert solutions == [-sympy.sqrt(2), sympy.sqrt(2)]
assert sympy.latex(sympy.Integral(sympy.exp(-(x**2)), (x, 0, sympy.oo))) == r"\int\limits_{0}^{\infty} e^{- x^{2}}\, dx"
assert "⎮" in sympy.pretty(sympy.Integral(x**2, x), use_unicode=True)
display(Math(sympy.latex(solutions[0])))
