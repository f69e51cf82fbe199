"""What every classifier of `NETWORKS` is."""

from torch import Tensor, nn


class Classifier(nn.Module):
    """An embedding followed by a linear classifier.

    Subclasses define `features` and set `classifier`.
    """

    classifier: nn.Linear

    def features(self, images: Tensor) -> Tensor:
        """Embed normalised float images N×C×H×W as N×D, before the classifier."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Classify normalised float images N×C×H×W into logits N×num_classes."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
