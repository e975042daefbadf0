"""What a night can do, by name: for help texts, so without torch."""

from collections.abc import Mapping

ONE_CODER: Mapping[str, str] = {
    "naive": "one adapter, on the reference of every episode",
    "targeted": "on failed episodes alone",
    "replay": "on failed ones and a share of passed ones",
    "self": "on the coder's own repairs that were green",
    "unjudged": "on its own repairs, green or not",
    "osf": "on every reference, at right angles to what each weight does most",
    "mean": "an adapter for each family that failed, and the mean of what they add",
    "mean-factors": "the product of their mean factors",
    "mean-factors-one-start": "the same of adapters that began alike",
    "ties": "what most of them agree on",
    "dare": "their mean after a random part is dropped",
    "share-averaged": "their mean coefficients in a basis of Share",
    "share-coefficients": "coefficients alone, in a basis of Share",
}
"""Methods that end in one set of weights."""
BY_FAMILY: Mapping[str, str] = {
    "routing": "an adapter for each family, as it is",
    "share-projected": "adapters projected to a basis of Share",
    "share-full": "the same, then coefficients trained once more",
    "share-continual": "Share as in its paper, family after family",
    "share-as-coded": "Share as its authors' code runs it",
    "random-projected": "a control: adapters in a random basis",
    "random-coefficients": "a control: coefficients alone in a random basis",
    "null": "a control: noise as large as the adapters",
}
"""Methods that keep weights for each family."""
FAMILIES = "families.safetensors"
"""The file of these weights, beside the weights of their coder."""
