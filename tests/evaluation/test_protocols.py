"""The protocols' numbers."""

from dataclasses import replace

import pytest

from ddcodec import networks
from ddcodec.errors import RecipeError
from ddcodec.evaluation import PROTOCOLS, Protocol
from ddcodec.evaluation.protocols import COUNTS, NUMBERS, named_protocol
from ddcodec.evaluation.students.optimisers import learning_rate
from ddcodec.networks import augment


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_is_filed_under_its_name(name: str) -> None:
    """The printed name is the key, and updates and epochs agree with each other."""
    protocol = PROTOCOLS[name]
    assert protocol.name == name
    updates, epochs = protocol.total_updates(500), protocol.total_epochs(500)
    assert updates * protocol.batch_size >= epochs * 500 > (updates - epochs) * 1.0
    assert protocol.total_updates(1) >= 1


def test_standard_is_the_published_protocol() -> None:
    """`standard` carries the settings of DC, DSA and MTT."""
    standard = PROTOCOLS["standard"]
    assert (standard.learning_rate, standard.momentum, standard.weight_decay) == (0.01, 0.9, 5e-4)
    assert (standard.batch_size, standard.epochs, standard.networks) == (256, 1000, 5)
    assert (standard.optimiser, standard.schedule, standard.augment) == ("sgd", "step", True)
    assert not (standard.mixes or standard.always or standard.all_labels or standard.warmup)
    width = standard.network_width
    network = networks.build("convnet", (3, 32, 32), 10, seed=0, network_width=width)
    assert sum(parameter.numel() for parameter in network.parameters()) == 320_010
    assert standard.total_updates(640) == 3000


def test_idc_is_the_published_protocol() -> None:
    """`idc` carries the settings of IDC for CIFAR-10, and draws from operations that there are."""
    idc = PROTOCOLS["idc"]
    assert (idc.learning_rate, idc.momentum, idc.weight_decay) == (0.01, 0.9, 5e-4)
    assert (idc.batch_size, idc.epochs, idc.optimiser) == (64, 1000, "sgd")
    assert (idc.always, idc.operations) == (("flip", "color"), ("crop", "scale", "rotate"))
    assert (idc.cutmix, idc.mixup, idc.augment, idc.all_labels) == (0.5, 0.0, True, False)
    assert {*idc.always, *idc.operations} < set(augment.OPERATIONS)
    assert PROTOCOLS["standard"].operations is None
    rates = [learning_rate(idc, update, 6000) for update in (0, 3999, 4000, 4999, 5000, 5999)]
    assert rates == pytest.approx([0.01, 0.01, 0.002, 0.002, 0.0004, 0.0004])


def test_quick_is_standard_cut_short() -> None:
    """`quick` makes 2,000 updates of 64 images, whatever the size of the set."""
    quick = PROTOCOLS["quick"]
    assert quick.total_updates(10) == quick.total_updates(10_000) == 2000
    assert quick.total_epochs(500) == 256
    assert quick.total_epochs(10) == 2000
    assert quick.learning_rate == PROTOCOLS["standard"].learning_rate


def test_muon_shows_as_many_views_as_tuned() -> None:
    """`muon` differs from `tuned` in how it learns and mixes; views are as many."""
    muon, tuned = PROTOCOLS["muon"], PROTOCOLS["tuned"]
    assert muon.total_updates(1) * muon.batch_size == tuned.total_updates(1) * tuned.batch_size
    differing = ("name", "updates", "batch_size", "optimiser", "learning_rate", "cutmix")
    as_tuned = {name: getattr(tuned, name) for name in differing}
    assert replace(muon, label_smoothing=0.0, **as_tuned) == tuned


def test_patient_is_muon_for_longer() -> None:
    """`patient` shows three times the views, each image's own, and learns from feature maps."""
    muon, patient = PROTOCOLS["muon"], PROTOCOLS["patient"]
    assert patient.total_updates(1) == 3 * muon.total_updates(1) == 30_000
    assert (patient.singly, patient.stage_weight, patient.all_labels) == (True, 1.0, True)
    assert replace(patient, name="muon", updates=10_000, singly=False, stage_weight=0.0) == muon


@pytest.mark.parametrize(
    "settings", [{}, {"epochs": 1, "updates": 1}, {"updates": 0}, {"epochs": 1, "batch_size": 0}]
)
def test_contradictions_are_refused(settings: dict[str, int]) -> None:
    """A protocol is measured in epochs or in updates, and counts are positive."""
    with pytest.raises(RecipeError):
        Protocol("bad", **settings)


def test_other_numbers_stand_in_the_name() -> None:
    """They go before advice, leave all else, and nothing changes a protocol without them."""
    quick = PROTOCOLS["quick"]
    assert quick.changed({}) is quick
    longer = quick.changed({"updates": 3000, "learning_rate": 0.03})
    assert longer.name == "quick:updates=3000,learning_rate=0.03"
    assert named_protocol(longer.name) is quick
    assert (longer.updates, longer.learning_rate, longer.batch_size) == (3000, 0.03, 64)
    by_epochs = quick.changed({"epochs": 5})
    assert (by_epochs.epochs, by_epochs.updates) == (5, None)
    tuned = PROTOCOLS["tuned"].changed({"learning_rate": 0.002, "cutmix": 0.0})
    advised = tuned.advised(0.004, 0.25, 0.5)
    assert (advised.learning_rate, advised.cutmix, advised.mixup) == (0.002, 0.0, 0.5)
    learned = PROTOCOLS["learned"].changed({"learning_rate": 0.1})
    assert learned.advised(sgd_rate=0.034).learning_rate == 0.1


@pytest.mark.parametrize("name", [*COUNTS, *NUMBERS])
def test_every_number_may_be_another(name: str) -> None:
    """Each is a setting of a protocol, and one below it is refused."""
    value = 2 if name in COUNTS else 0.5
    assert getattr(PROTOCOLS["quick"].changed({name: value}), name) == value
    with pytest.raises(RecipeError, match=f"'{name}' of a protocol is a"):
        PROTOCOLS["quick"].changed({name: -1})
    with pytest.raises(RecipeError, match=f"'{name}' of a protocol is a"):
        PROTOCOLS["quick"].changed({name: float("nan")})


@pytest.mark.parametrize(
    "options", [{"networks": 3}, {"updates": 2.5}, {"updates": 3, "epochs": 3}, {"cutmix": 1.5}]
)
def test_numbers_that_make_no_protocol(options: dict[str, float]) -> None:
    """Unknown ones, parts of an update, both lengths, and probabilities above one."""
    with pytest.raises(RecipeError):
        PROTOCOLS["quick"].changed(options)


def test_advice_is_followed_where_all_labels_are() -> None:
    """`tuned` takes rate and mixing from a file, not its length; the others take nothing."""
    tuned = PROTOCOLS["tuned"]
    followed = tuned.advised(0.003, 0.25, 0.5)
    assert (followed.learning_rate, followed.cutmix, followed.mixup) == (0.003, 0.25, 0.5)
    assert (followed.updates, followed.batch_size) == (tuned.updates, tuned.batch_size)
    assert tuned.advised() == tuned
    assert tuned.advised(cutmix=0.75, mixup=0.5) == tuned
    assert PROTOCOLS["quick"].advised(0.003, 0.25) == PROTOCOLS["quick"]


def test_a_learned_rate_is_taken_by_learned_alone() -> None:
    """`learned` is `standard` at the file's own rate of SGD; no other protocol takes that rate."""
    learned = PROTOCOLS["learned"]
    assert replace(learned, name="standard", learned_rate=False) == PROTOCOLS["standard"]
    assert learned.advised(0.003, 0.25, 0.5) == learned
    assert learned.advised(sgd_rate=0.034) == replace(learned, learning_rate=0.034)
    takers = [name for name, each in PROTOCOLS.items() if each.advised(sgd_rate=0.5) != each]
    assert takers == ["learned"]
