"""Ten-class subsets of ImageNet at 128×128: class lists, cut out of any ImageNet tree."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ddcodec.datasets.base import Dataset
from ddcodec.datasets.cache import cached_dataset
from ddcodec.datasets.in_arrays.npz import is_npz_name
from ddcodec.datasets.layouts.layout import LabelledPaths, Layout, read_layout
from ddcodec.datasets.named import NamedDataset
from ddcodec.datasets.own import load_own
from ddcodec.datasets.request import LoadRequest
from ddcodec.datasets.trees.image import is_image_name
from ddcodec.datasets.trees.resize import ImageSize
from ddcodec.datasets.trees.source import check_source, source_key, source_members
from ddcodec.datasets.trees.tree import TreeReader
from ddcodec.errors import DataError

HOME = "https://image-net.org/download"
SIZE = ImageSize(128, 128)
TEST_IMAGES_PER_CLASS = 50

# The lists of matching training trajectories (Cazenavette et al., CVPR 2022; `Config` in utils.py
# of github.com/GeorgeCazenavette/mtt-distillation) as WordNet ids, in their order, which numbers
# the classes. Nette and Woof are those of github.com/fastai/imagenette.
NETTE = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
WOOF = {
    "n02096294": "Australian terrier",
    "n02093754": "Border terrier",
    "n02111889": "Samoyed",
    "n02088364": "beagle",
    "n02086240": "Shih-Tzu",
    "n02089973": "English foxhound",
    "n02087394": "Rhodesian ridgeback",
    "n02115641": "dingo",
    "n02099601": "golden retriever",
    "n02105641": "Old English sheepdog",
}
FRUIT = {
    "n07753275": "pineapple",
    "n07753592": "banana",
    "n07745940": "strawberry",
    "n07747607": "orange",
    "n07749582": "lemon",
    "n07768694": "pomegranate",
    "n07753113": "fig",
    "n07720875": "bell pepper",
    "n07718472": "cucumber",
    "n07742313": "Granny Smith",
}
YELLOW = {
    "n02206856": "bee",
    "n12057211": "yellow lady's slipper",
    "n07753592": "banana",
    "n07749582": "lemon",
    "n12144580": "corn",
    "n04146614": "school bus",
    "n03530642": "honeycomb",
    "n02129165": "lion",
    "n01773157": "black and gold garden spider",
    "n01531178": "goldfinch",
}
MEOW = {
    "n02123045": "tabby",
    "n02123159": "tiger cat",
    "n02123394": "Persian cat",
    "n02123597": "Siamese cat",
    "n02124075": "Egyptian cat",
    "n02129165": "lion",
    "n02129604": "tiger",
    "n02128925": "jaguar",
    "n02128757": "snow leopard",
    "n02127052": "lynx",
}
SQUAWK = {
    "n01806143": "peacock",
    "n02007558": "flamingo",
    "n01818515": "macaw",
    "n02051845": "pelican",
    "n02056570": "king penguin",
    "n01614925": "bald eagle",
    "n01843383": "toucan",
    "n01518878": "ostrich",
    "n01860187": "black swan",
    "n01819313": "sulphur-crested cockatoo",
}

_WORDNET_ID = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class ImageNetSubset:
    """Load a subset of ImageNet by its classes, a mapping from WordNet id to name."""

    classes: Mapping[str, str]

    def load(self, request: LoadRequest) -> Dataset:
        """Load the subset from a tree of `train/nXXXXXXXX/` and `val/nXXXXXXXX/`.

        `request.data` is the folder of the whole of ImageNet, or a folder or archive of these
        classes alone; other classes are not read. Images are brought to 128×128, or to
        `request.size`, as `resize.fit` says. An .npz goes to `load_own`. Raises DataError.
        """
        data, name = request.data, request.name
        if data is None:
            raise DataError(
                f"'{name}' is cut out of ImageNet, which takes an account to download; get it from "
                f"{HOME} and pass the folder that holds train/ and val/ with --data."
            )
        if is_npz_name(data):
            return load_own(request)
        check_source(data)
        size = request.size or SIZE
        state = f"imagenet {source_key(data, self.keeps)} {' '.join(self.classes)} at {size}"

        def build(folder: Path) -> tuple[str, ...]:
            reader = TreeReader(data, size, request.on_progress, request.cache_limit)
            members = list(reader.noting(source_members(data, self.keeps)))
            if not reader.headers:
                first = next(iter(self.classes))
                raise DataError(
                    f"'{data}' holds no images of the classes of '{name}'; expected folders such "
                    f"as train/{first} ({self.classes[first]})."
                )
            layout = self._numbered(read_layout(members, str(data)), data)
            return reader.decode(layout, source_members(data, self.keeps), folder)

        key = hashlib.sha256(state.encode()).hexdigest()
        return cached_dataset(name, key, request.cache_dir, build, request.cache_limit)

    def keeps(self, path: str) -> bool:
        """Tell whether a file or folder may belong to the subset.

        Raises DataError for validation images as ImageNet packs them, in one folder for all.
        """
        *folders, last = path.split("/")
        ids = [part for part in (*folders, last) if _WORDNET_ID.fullmatch(part)]
        if not ids and is_image_name(path):
            if folders and folders[-1] == "val":
                raise DataError(
                    f"'{path}' is in no class folder; sort the validation images of ImageNet into "
                    "val/nXXXXXXXX/ first."
                )
            return False
        return all(wordnet_id in self.classes for wordnet_id in ids)

    def _numbered(self, layout: Layout, source: Path) -> Layout:
        """Return a layout whose classes have the names and the order of the subset."""
        for wordnet_id, name in self.classes.items():
            if wordnet_id not in layout.class_names:
                raise DataError(f"'{source}' lacks the class {wordnet_id} ({name}); add it.")
        order = {wordnet_id: label for label, wordnet_id in enumerate(self.classes)}
        labels = [order[wordnet_id] for wordnet_id in layout.class_names]
        names = tuple(self.classes.values())
        test = None if layout.test is None else _renumbered(layout.test, labels)
        return Layout(names, _renumbered(layout.train, labels), test)


def _renumbered(listed: LabelledPaths, labels: list[int]) -> LabelledPaths:
    pairs = zip(listed.paths, listed.labels, strict=True)
    ordered = sorted((labels[label], path) for path, label in pairs)
    return LabelledPaths(tuple(path for _, path in ordered), tuple(label for label, _ in ordered))


def _named(classes: Mapping[str, str], train_images: int | None = None) -> NamedDataset:
    num_classes = len(classes)
    return NamedDataset(
        ImageNetSubset(classes).load,
        num_classes,
        (3, SIZE.height, SIZE.width),
        train_images,
        TEST_IMAGES_PER_CLASS * num_classes,
        HOME,
    )


# 13,394 images less 500; what the others have differs from class to class (732 to 1,300).
IMAGENETTE128 = _named(NETTE, 12_894)
IMAGEWOOF128 = _named(WOOF)
IMAGEFRUIT128 = _named(FRUIT)
IMAGEYELLOW128 = _named(YELLOW)
IMAGEMEOW128 = _named(MEOW)
IMAGESQUAWK128 = _named(SQUAWK)
