# %% [markdown]
# # Bars, indicators and leaks {#sec-market-features}
#
# A market leaves five numbers a day: the first price, the highest, the lowest, the last, and how much was traded. That
# is a *bar*. A *return* is the change of the last price from bar to bar; everything below is made of these. Most
# results that look too good to be true in this field are: some number that a model was given on a day was not known on
# that day. @fig-market-leak shows one.

# %%
# | label: fig-market-leak
# | fig-cap: "A leak, drawn. Top: closes of a made market, and the days up to which they are known. Bottom: a detrended price as charting packages compute it, known at each of three days (colours), and with all days known (grey). It ends early, and it is centred: each value needs days that come after it."
# | fig-alt: "Two panels over days. In the lower one coloured lines end ten days before the day up to which prices are known, while a grey line goes on."
# | echo: true
import numpy as np

from llmlab.book import style
from llmlab.market.bars.synthetic import known_market

bars = known_market(200, strength=0.0, seed=3).bars
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
# Let $f_t(x_1, \dots, x_n)$ be a feature's value on day $t$ when the bars up to day $n$ are known. It sees the future if,
# and only if, for some $t < n$
#
# $$ f_t(x_1, \dots, x_t) \neq f_t(x_1, \dots, x_n). $$ {#eq-leak}
#
# So each feature is computed on prefixes of the bars, and the last row of each is compared with the same row of the
# whole. The alarm needs no knowledge of the formula:

# %%
# | echo: true
from llmlab.market.features.leaks import leaks
from llmlab.market.features.table import compute
from llmlab.market.features.tiers import tier


def with_a_leak(some):
    return compute(tier("a"), some).assign(detrended=centred(some.frame["close"]))


for leak in leaks(with_a_leak, bars, range(60, 200, 20)):
    print(f"{leak.column}: on {leak.day.date()} it was {leak.then:.2f}, later {leak.later:.2f}")

# %% [markdown]
# `llmlab market features` computes some 250 features in three tiers, and refuses to write a table in which any column
# fails this test. @sec-market-dictionary lists them all. They are free of the level of the price, so that a model of one
# year can read another.
#
# ## Between the days of training and of test
#
# A sample looks back over its window and ahead over its horizon. Two samples on neighbouring days share nearly all of
# both, so a test day next to a training day is no test. @fig-market-split shows what is dropped: on either side of the
# chunks for validation and test as many days as a sample looks at in all [@lopezdeprado2018advances, chapter 7].

# %%
# | label: fig-market-split
# | fig-cap: "Twenty years of days, cut into chunks, for three of ten test periods. Blue: training; orange: validation; vermilion: test; white: dropped. A sample reaches 70 days."
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
# Means and standard deviations, by which features are scaled, are those of the training rows alone.
#
# ## What is asked
#
# A target is a rise of the close by more than a threshold by the end of a horizon. @tbl-market-balance shows how often
# that comes true: where it is rare, always saying "no" is nearly right, and a model has to be judged beside that.

# %%
# | label: tbl-market-balance
# | tbl-cap: "Share of days on which a made market without drift rises by more than a threshold, by horizon. `llmlab market targets` shows the same of real ones."
# | echo: true
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.market.samples.targets import balance

shares = balance(known_market(5000, strength=0.0, seed=0).bars)
rows = [[name, *(f"{share:.1%}" for share in row)] for name, row in shares.iterrows()]
header = ["horizon", *(f"> {threshold} %" for threshold in shares.columns)]
Markdown(pipe_table(header, rows, numeric=range(1, len(header))))

# %% [markdown]
# ## What the book tests
#
# - Does the pipeline find a signal where there is one? @sec-results-market-control
# - Can anything be said of tomorrow? @sec-results-market-predictability
# - Do more indicators help? @sec-results-market-features Do more assets? @sec-results-market-data
# - Do more parameters? @sec-results-market-scaling
