"""Labels that stand in a list beside the images: which column names images, which their labels."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddcodec.datasets.layouts.image_index import ImageIndex
from ddcodec.datasets.layouts.list_table import ListTable, read_list_table
from ddcodec.datasets.layouts.split_names import split_called, split_of_file
from ddcodec.datasets.trees.image import is_image_name
from ddcodec.datasets.wording import some_of
from ddcodec.errors import DataError

LABEL_COLUMNS = (
    "label", "labels", "class", "class_name", "classname", "class_label", "category", "target",
    "fine_label", "species", "breed", "type", "diagnosis", "y", "class_id", "label_id", "tag",
)  # fmt: skip
IMAGE_COLUMNS = (
    "file_name", "filename", "image", "file", "path", "image_path", "img", "img_path", "filepath",
    "image_name", "image_id", "name", "id",
)  # fmt: skip
NAME_COLUMNS = (
    "class", "class_name", "classname", "label_name", "labelname", "category", "category_name",
    "target_name", "text_label", "name",
)  # fmt: skip
SPLIT_COLUMNS = ("split", "set", "subset", "partition", "fold", "data set", "dataset", "data_set")

_SAMPLE_ROWS = 200
_MOSTLY = 0.5


@dataclass(frozen=True)
class Columns:
    """Name the columns that a user wants."""

    image: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class LabelList:
    """Hold what a list says of images.

    Attributes:
        path: of the list in its source.
        labels: of images, by their path.
        splits: of those images of which the list says it.
        names: what another column calls each label, where labels are numbers.
        missing_images: how many rows name no image.
        problem: why nobody can tell the labels, though images are named, or None.
    """

    path: str
    labels: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    missing_images: int = 0
    problem: str | None = None


def read_label_list(
    data: bytes, path: str, images: ImageIndex, columns: Columns | None = None
) -> LabelList | None:
    """Return what a file says of the images, or None where it names none of them.

    Raises:
        DataError: An image has two labels, or a column that the user names is not there.
    """
    table = read_list_table(data, path)
    if table is None or not table.rows:
        return None
    reader = _Reader(path, images, columns or Columns())
    return reader.read(table)


@dataclass(frozen=True)
class _Reader:
    path: str
    images: ImageIndex
    wanted: Columns

    def read(self, table: ListTable) -> LabelList | None:
        image = self._image_column(table)
        if image is None:
            return None
        if table.columns is None and self._found(table.rows[0][image]) is None:
            table = table.with_header()
            image = self._image_column(table)
            if image is None:
                return None
        if not self._is_credible(table, image):
            return None
        labels, problem = self._labels(table, image)
        if labels is None:
            return LabelList(self.path, problem=problem)
        return self._collect(table, image, labels)

    def _found(self, value: str) -> str | None:
        folder, _, name = self.path.rpartition("/")
        return self.images.find(value, folder, split_of_file(name.rpartition(".")[0]))

    def _image_column(self, table: ListTable) -> int | None:
        """Return the column most of whose values are images."""
        if self.wanted.image is not None:
            return self._named(table.with_header(), self.wanted.image)
        sample = table.rows[:_SAMPLE_ROWS]
        shares = {}
        for index in range(len(sample[0])):
            values = [row[index] for row in sample]
            shares[index] = sum(self._found(value) is not None for value in values) / len(values)
        best = max(shares.values())
        if best <= 0 or (best < _MOSTLY and len(sample) > 2):
            return None
        # A label such as 3 may be what a list calls an image, too.
        able = [index for index, share in shares.items() if share >= 0.9 * best]
        names = table.columns or table.rows[0]
        ranked = [i for known in IMAGE_COLUMNS for i in able if names[i].lower() == known]
        able.sort(key=lambda index: -len({row[index] for row in sample}))
        return (ranked or able)[0]

    def _is_credible(self, table: ListTable, image: int) -> bool:
        """Tell a list of images from a table whose numbers happen to be names of images."""
        if self.wanted.image is not None or self.wanted.label is not None:
            return True
        if table.columns is not None and table.columns[image].strip().lower() in IMAGE_COLUMNS:
            return True
        values = {row[image] for row in table.rows}
        return any(map(is_image_name, values)) or len(values) >= _MOSTLY * len(self.images)

    def _labels(self, table: ListTable, image: int) -> tuple[list[str] | None, str | None]:
        """Return the label of every row, or why there is none."""
        if self.wanted.label is not None:
            index = self._named(table, self.wanted.label)
            return [row[index] for row in table.rows], None
        others = [index for index in range(len(table.rows[0])) if index != image]
        if table.columns is None:
            others = [index for index in others if index > image] or others
            return [row[others[0]] for row in table.rows], None
        lower = [name.strip().lower() for name in table.columns]
        for known in LABEL_COLUMNS:
            if known in lower and (index := lower.index(known)) != image:
                return [row[index] for row in table.rows], None
        others = [index for index in others if lower[index] not in SPLIT_COLUMNS]
        if (hot := _one_hot(table, others)) is not None:
            return hot, None
        if len(others) == 1 and _repeats([row[others[0]] for row in table.rows]):
            return [row[others[0]] for row in table.rows], None
        names = some_of(table.columns)
        example = f"{self.path.rpartition('/')[2]}#{table.columns[image]},COLUMN"
        return None, f"none of its columns ({names}) is known for a label; name it: {example}"

    def _named(self, table: ListTable, name: str) -> int:
        columns = table.columns or ()
        if name in columns:
            return columns.index(name)
        raise DataError(
            f"'{self.path}' has no column '{name}'; it has {some_of(columns) or 'no names'}."
        )

    def _collect(self, table: ListTable, image: int, labels: list[str]) -> LabelList:
        lower = [name.strip().lower() for name in table.columns or ()]
        split_column = next((lower.index(name) for name in SPLIT_COLUMNS if name in lower), None)
        found = LabelList(self.path)
        missing = 0
        for row, label in zip(table.rows, labels, strict=True):
            path = self._found(row[image])
            if path is None:
                missing += 1
                continue
            if not label:
                continue
            if found.labels.setdefault(path, label) != label:
                raise DataError(
                    f"'{self.path}' says that '{path}' is '{found.labels[path]}' and '{label}'; "
                    "an image has one label."
                )
            split = None if split_column is None else split_called(row[split_column])
            if split is not None:
                found.splits[path] = split
        names = _names_of(labels, table, image)
        return LabelList(self.path, found.labels, found.splits, names, missing)


def _names_of(labels: list[str], table: ListTable, image: int) -> dict[str, str]:
    """Return the names of labels that are numbers, if a column has one for each and no other."""
    if table.columns is None or not all(label.isdecimal() for label in labels if label):
        return {}
    lower = [name.strip().lower() for name in table.columns]
    for known in NAME_COLUMNS:
        if known not in lower or (index := lower.index(known)) == image:
            continue
        pairs = {
            (label, row[index]) for label, row in zip(labels, table.rows, strict=True) if label
        }
        names = dict(pairs)
        unique = len(pairs) == len(names) == len(set(names.values()))
        if unique and not all(name.isdecimal() or not name for name in names.values()):
            return names
    return {}


def _one_hot(table: ListTable, others: list[int]) -> list[str] | None:
    """Return the name of the one column of each row that is 1 where all others are 0."""
    assert table.columns is not None
    if len(others) < 2:
        return None
    labels = []
    for row in table.rows:
        try:
            values = [float(row[index]) for index in others]
        except ValueError:
            return None
        if sorted(values) != [0.0] * (len(values) - 1) + [1.0]:
            return None
        labels.append(table.columns[others[values.index(1.0)]])
    return labels


def _repeats(values: list[str]) -> bool:
    """Tell labels from captions and the like, of which each stands once."""
    return len(values) < 4 or len(set(values)) <= len(values) / 2
