"""Sentiment of made-up reviews, with tf.data and an LSTM in both directions."""

import random

import keras
import tensorflow as tf
from keras import layers

GOOD, BAD = "fine great lovely superb warm".split(), "dull poor weak awful cold".split()
COMMON = "the film was a story with an actor and music in it".split()


def reviews(count):
    chance = random.Random(0)
    for _ in range(count):
        label = chance.randint(0, 1)
        words = chance.choices(COMMON, k=12) + chance.choices(GOOD if label else BAD, k=3)
        chance.shuffle(words)
        yield " ".join(words), label


keras.utils.set_random_seed(0)
texts, labels = zip(*reviews(1200))
vectorize = layers.TextVectorization(output_sequence_length=16)
vectorize.adapt(list(texts))
data = tf.data.Dataset.from_tensor_slices((vectorize(list(texts)), list(labels)))
train = data.take(1000).shuffle(1000, seed=0).batch(32).prefetch(1)
valid = data.skip(1000).batch(32)

inputs = keras.Input((None,), dtype="int32")
x = layers.Embedding(64, 32)(inputs)
x = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(x)
x = layers.Bidirectional(layers.LSTM(16))(x)
model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
model.compile("adam", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])
history = model.fit(train, validation_data=valid, epochs=3, verbose=2)
print({name: [round(value, 5) for value in values] for name, values in history.history.items()})
print(model.evaluate(valid, return_dict=True, verbose=0))
