"""What every classifier of `NETWORKS` is."""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ddcodec.errors import RecipeError


class Classifier(nn.Module):
    """An embedding followed by a linear classifier.

    Subclasses define `features` and set `classifier`. Their constructors take `image_shape`
    (C, H, W), `num_classes` and `network_width`, which has a default; those that name `norms`
    take `norm`, those with `takes_depth` take `depth`, those with `takes_halved` take `halved`.
    """

    norms: ClassVar[tuple[str, ...]] = ()
    """Keys of `ddcodec.networks.norms.NORMS` to choose from, the default first."""

    takes_depth: ClassVar[bool] = False

    takes_halved: ClassVar[bool] = False
    """Whether it can see images at half their side."""

    classifier: nn.Linear

    def features(self, images: Tensor) -> Tensor:
        """Embed normalised float images N×C×H×W as N×D, before the classifier."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Classify normalised float images N×C×H×W into logits N×num_classes."""
        logits: Tensor = self.classifier(self.features(images))
        return logits

    @property
    def mixes_images(self) -> bool:
        """Whether what is made of an image in training depends on the rest of its batch."""
        return any(isinstance(module, _BatchNorm) for module in self.modules())


def check_sizes(
    name: str, image_shape: tuple[int, int, int], num_classes: int, network_width: int
) -> None:
    """Refuse sizes that are none.

    Raises:
        RecipeError: One of them is below 1.
    """
    if min(*image_shape, num_classes, network_width) < 1:
        raise RecipeError(
            f"{name} needs positive sizes, not images of {image_shape}, {num_classes} classes "
            f"and width {network_width}."
        )


def too_small(name: str, height: int, width: int, least: int) -> RecipeError:
    """Return the error of a network that is too deep for the images."""
    return RecipeError(
        f"{name} needs images of at least {least} by {least} pixels, not {height} by {width}; "
        "choose a shallower network, such as convnet."
    )


def padded_as_mnist(image_shape: tuple[int, int, int]) -> bool:
    """Tell whether the first convolution is to bring images to 32×32.

    Zhao's code does so for the 28×28 images of MNIST and Fashion-MNIST.
    """
    return image_shape == (1, 28, 28)
