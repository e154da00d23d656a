"""The convolutional networks of `training_images.py` as Keras models, in Keras's usual layers."""

from typing import Any

CLASSES = 10


def lenet(width: int) -> Any:
    """Width: channels of the first convolution."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((28, 28, 1)),
            layers.Conv2D(width, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )


def resnet8(width: int) -> Any:
    """Width: channels of the first stage."""
    from keras import Input, Model, layers

    def normed(x: Any, units: int, size: int, strides: int = 1) -> Any:
        conv = layers.Conv2D(units, size, strides, padding="same", use_bias=False)
        return layers.BatchNormalization()(conv(x))

    start = Input((32, 32, 3))
    x = layers.ReLU()(normed(start, width, 3))
    for units, strides in ((width, 1), (2 * width, 2), (4 * width, 2)):
        short = x if strides == 1 else normed(x, units, 1, strides)
        y = normed(layers.ReLU()(normed(x, units, 3, strides)), units, 3)
        x = layers.ReLU()(layers.Add()([y, short]))
    return Model(start, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))


KERAS_IMAGES = {"lenet": lenet, "resnet8": resnet8}
