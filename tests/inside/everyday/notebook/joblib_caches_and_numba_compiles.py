import numba
import numpy as np
from joblib import Memory

calls = []
memory = Memory("cache", verbose=0)


@memory.cache
def square(x):
    calls.append(x)
    return x**2


@numba.njit(parallel=True)
def total(values):
    result = 0.0
    for index in numba.prange(len(values)):
        result += values[index]
    return result


assert [square(3), square(3)] == [9, 9]
assert calls == [3]
assert total(np.ones(1000)) == 1000
