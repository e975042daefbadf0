# %% [markdown]
# # Bars, indicators and leaks {#sec-market-features}
#
# A market leaves five numbers a day: the first price, the highest, the lowest, the last (the *close*), and the volume
# traded. Together they are a *bar*. A *return* is the relative change of the close from bar to bar. An *indicator* is a
# formula over the bars so far. @fig-market-bars shows two: a mean of closes, and the relative strength index, which is
# 100 if the price only rose of late, and 0 if it only fell.

# %%
# | label: fig-market-bars
# | fig-cap: "Sixty days of a synthetic market. Top: bars, each a line from the lowest to the highest price, with the first price as a tick on the left and the close on the right; the blue line is the mean of 20 closes. Bottom: the relative strength index over 14 days."
# | fig-alt: "Two panels over sixty days: price bars with a smooth line through them, and an index that rises and falls with the price."
# | echo: true
import numpy as np

from llmlab.book import style
from llmlab.market.bars.synthetic import known_market
from llmlab.market.features.table import compute
from llmlab.market.features.tiers import tier

bars = known_market(200, strength=0.0, seed=3).bars
features = compute(tier("a"), bars)
prices, day = bars.frame[-60:], np.arange(60)

figure, (top, bottom) = style.subplots(2, 1, height=3.8, sharex=True)
top.vlines(day, prices["low"], prices["high"], color=style.INK, linewidth=1)
top.hlines(prices["open"], day - 0.35, day, color=style.INK, linewidth=1)
top.hlines(prices["close"], day, day + 0.35, color=style.INK, linewidth=1)
top.plot(day, bars.frame["close"].rolling(20).mean()[-60:], color=style.BLUE)
bottom.plot(day, features["rsi_14"][-60:], color=style.INK)
top.set(ylabel="price")
bottom.set(xlabel="day", ylabel="RSI")
figure

# %% [markdown]
# Let $U_t$ and $D_t$ be running means of the rises and of the falls of the close. The relative strength index is
#
# $$ \mathrm{RSI}_t = 100 \, \frac{U_t}{U_t + D_t} . $$ {#eq-rsi}
#
# ## A leak
#
# In this field, most results that look too good to be true are: some number that the model was given for a day was not
# known on that day. This is a *leak*, and @fig-market-leak shows one.

# %%
# | label: fig-market-leak
# | fig-cap: "A leak. Top: closes of a synthetic market; dashed lines mark three days up to which the closes are known. Bottom: a detrended price as charting packages compute it, from the closes known on each of the three days (colours) and from all closes (grey). The coloured lines end early because the average is centred: each value needs days that come after it."
# | fig-alt: "Two panels over days. In the lower one coloured lines end ten days before the day up to which prices are known, while a grey line continues."
# | echo: true
close = bars.frame["close"]


def centred(known, window=20):
    """The price less its mean, moved back by half a window: a detrended price oscillator."""
    mean = known.rolling(window).mean()
    return (known.shift(window // 2 + 1) - mean).shift(-(window // 2))


figure, (top, bottom) = style.subplots(2, 1, height=3.8, sharex=True)
top.plot(close.to_numpy(), color=style.INK)
bottom.plot(centred(close).to_numpy(), color=style.FAINT, linewidth=4)
for until, colour in zip((180, 130, 80), style.CYCLE, strict=False):
    top.axvline(until, color=colour, linestyle="--")
    bottom.axvline(until, color=colour, linestyle="--")
    bottom.plot(centred(close.iloc[:until]).to_numpy(), color=colour)
top.set(ylabel="close")
bottom.set(xlabel="day", ylabel="detrended price")
figure

# %% [markdown]
# ## The alarm
#
# Let $f_t(x_1, \dots, x_n)$ be the value of a feature on day $t$ when the bars up to day $n$ are known. The feature
# sees the future if, and only if, for some $t < n$
#
# $$ f_t(x_1, \dots, x_t) \neq f_t(x_1, \dots, x_n). $$ {#eq-leak}
#
# So we compute each feature on prefixes of the bars, and compare the last row of each prefix with the same row of the
# whole. The alarm needs no knowledge of the formula:

# %%
# | echo: true
from llmlab.market.features.leaks import leaks


def with_a_leak(some):
    return compute(tier("a"), some).assign(detrended=centred(some.frame["close"]))


for leak in leaks(with_a_leak, bars, range(60, 200, 20)):
    print(f"{leak.column}: on {leak.day.date()} it was {leak.then:.2f}, later {leak.later:.2f}")

# %% [markdown]
# On that day the feature had no value yet (`nan`); once more days were known, it had one. `llmlab market features`
# computes some 250 features in three tiers, and refuses to write a table if any column fails this test.
# @sec-market-dictionary lists them all. They do not depend on the level of the price, so a model trained on one year can
# read another.
#
# ## A gap between training and test days
#
# A sample looks back over its window and ahead over its horizon. Two samples on neighbouring days share nearly all of
# both, so a test day next to a training day tests nothing. @fig-market-split shows what we drop: on either side of the
# validation and test chunks, as many days as one sample spans [@lopezdeprado2018advances, chapter 7].

# %%
# | label: fig-market-split
# | fig-cap: "Twenty years of trading days, cut into chunks, for three of ten test periods. Blue: training; orange: validation; vermilion: test; white: dropped. A sample spans 70 days."
# | fig-alt: "Three horizontal bars, each mostly blue, with an orange and a vermilion chunk that white gaps set apart."
# | echo: true
from llmlab.market.samples.chunks import split

figure, axes = style.subplots(height=1.9)
for row, chunk in enumerate((1, 4, 8)):
    parts = split(5000, chunk, reach=70)
    for days, colour in zip(
        (parts.train, parts.validation, parts.test),
        (style.BLUE, style.ORANGE, style.VERMILION),
        strict=True,
    ):
        marks = {"marker": "|", "s": 160, "color": colour, "linewidth": 0.4, "rasterized": True}
        axes.scatter(days, np.full(len(days), row), **marks)
axes.set_yticks(range(3), ["test 1", "test 4", "test 8"])
axes.set(xlabel="day", ylim=(-0.6, 2.6))
axes.grid(visible=False)
figure

# %% [markdown]
# The means and standard deviations that scale the features come from the training rows alone.
#
# ## What the model predicts
#
# The target is yes or no: does the close rise by more than a threshold by the end of a horizon? @tbl-market-balance
# shows how often it does. Where that is rare, a model that always says "no" is nearly always right, so this is the
# baseline to beat.

# %%
# | label: tbl-market-balance
# | tbl-cap: "Share of days on which a synthetic market without drift rises by more than a threshold, by horizon. `llmlab market targets` shows the same for real markets."
# | echo: true
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.market.samples.targets import balance

shares = balance(known_market(5000, strength=0.0, seed=0).bars)
rows = [[name, *(f"{100 * share:.1f} %" for share in row)] for name, row in shares.iterrows()]
header = ["horizon", *(f"> {threshold} %" for threshold in shares.columns)]
Markdown(pipe_table(header, rows, numeric=range(1, len(header))))

# %% [markdown]
# ## What the book tests
#
# - Does the pipeline find a signal where there is one? @sec-results-market-control
# - Can any model predict tomorrow's market? @sec-results-market-predictability
# - Do more indicators help? @sec-results-market-features Do more assets? @sec-results-market-data
# - Do more parameters? @sec-results-market-scaling
