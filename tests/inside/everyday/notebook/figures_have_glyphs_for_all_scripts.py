import warnings

import matplotlib.pyplot as plt

TEXTS = ["学習曲線", "学习曲线", "학습 곡선", "Größe, Œuvre", "Ошибка", "Σφάλμα", "loss 🎉", "∑ αβ → ∞"]
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    for number, text in enumerate(TEXTS):
        figure, axes = plt.subplots()
        axes.plot([1, -1], label=text)
        axes.set_title(text)
        axes.legend()
        figure.savefig(f"{number}.png")
        plt.close(figure)
assert [str(item.message) for item in warned if "Glyph" in str(item.message)] == []
