"""A loop of one's own over JAX: stateless calls, gradients by jax, metrics of Keras."""

import jax
import keras
import numpy as np

keras.utils.set_random_seed(3)
x = np.random.rand(4096, 20).astype("float32")
y = (x.sum(axis=1) > 10).astype("int32") + (x[:, 0] > 0.5)
model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(3)])
optimizer = keras.optimizers.Adam(1e-3)
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
accuracy = keras.metrics.SparseCategoricalAccuracy()
optimizer.build(model.trainable_variables)


def compute(trainable, fixed, rows, labels):
    logits, fixed = model.stateless_call(trainable, fixed, rows, training=True)
    return loss_of(labels, logits), (logits, fixed)


gradient = jax.value_and_grad(compute, has_aux=True)


@jax.jit
def step(state, rows, labels):
    trainable, fixed, optimized, measured = state
    (loss, (logits, fixed)), grads = gradient(trainable, fixed, rows, labels)
    trainable, optimized = optimizer.stateless_apply(optimized, grads, trainable)
    measured = accuracy.stateless_update_state(measured, labels, logits)
    return loss, (trainable, fixed, optimized, measured)


state = [
    [variable.value for variable in group]
    for group in (model.trainable_variables, model.non_trainable_variables, optimizer.variables, accuracy.variables)
]
for epoch in range(5):
    for begin in range(0, len(x), 64):
        loss, state = step(tuple(state), x[begin : begin + 64], y[begin : begin + 64])
    measured = accuracy.stateless_result(state[3])
    print(f"epoch {epoch}: loss {float(loss):.6f} accuracy {float(measured):.6f}")
for variable, value in zip(model.trainable_variables, state[0]):
    variable.assign(value)
print(model.predict(x[:2], verbose=0).round(4).tolist())
