from __future__ import annotations

import keras
import numpy as np

from vsr.train.optimiser import ConvMuon, orthogonalise


def array(x: object) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(x))


def test_orthogonalise_keeps_directions_and_evens_their_strength() -> None:
    rng = np.random.default_rng(0)
    for shape in ((36, 8), (8, 36), (16, 16)):
        matrix = rng.normal(size=shape).astype("float32")
        u, _, vt = np.linalg.svd(matrix, full_matrices=False)
        out = array(orthogonalise(matrix))
        values = np.linalg.svd(out, compute_uv=False)
        assert values.max() < 1.3
        assert np.median(values) > 0.6
        # same singular vectors: in their basis the result is diagonal and positive
        inner = u.T @ out @ vt.T
        np.testing.assert_allclose(inner, np.diag(np.diag(inner)), atol=2e-2)
        assert np.diag(inner).min() > 0


def test_hidden_kernels_get_muon_and_the_rest_exactly_adam() -> None:
    rng = np.random.default_rng(1)

    def variables() -> list[keras.Variable]:
        shapes = {"body": (3, 3, 4, 8), "bias": (8,), "out_conv": (3, 3, 8, 4)}
        return [
            keras.Variable(np.ones(shape, "float32"), name=name) for name, shape in shapes.items()
        ]

    gradients = [
        [rng.normal(size=v.shape).astype("float32") for v in variables()] for _ in range(3)
    ]
    ours, theirs = variables(), variables()
    muon = ConvMuon(0.01)
    adam = keras.optimizers.Adam(0.01, beta_1=0.9, beta_2=0.99)
    for step in gradients:
        tensors = [keras.ops.convert_to_tensor(g) for g in step]
        muon.apply(tensors, ours)
        adam.apply(tensors, theirs)
    for index in (1, 2):
        np.testing.assert_allclose(array(ours[index]), array(theirs[index]), atol=1e-4)
    assert np.abs(array(ours[0]) - array(theirs[0])).max() > 1e-3
    # one step of Muon is as large as one of Adam: about 0.2 of the rate, root mean square
    fresh, single = variables(), ConvMuon(0.01)
    single.apply([keras.ops.convert_to_tensor(g) for g in gradients[0]], fresh)
    size = np.sqrt(np.mean((array(fresh[0]) - 1) ** 2))
    assert 0.12 < size / 0.01 < 0.25


def test_it_learns_faster_than_adam_on_a_badly_scaled_problem() -> None:
    rng = np.random.default_rng(2)
    scales = np.logspace(0, -2, 16).astype("float32")
    x = rng.normal(size=(64, 4, 4, 16)).astype("float32") * scales
    target = rng.normal(size=(1, 1, 16, 8)).astype("float32")
    y = array(keras.ops.conv(x, target))

    def train(optimiser: keras.Optimizer) -> float:
        import tensorflow as tf

        kernel = keras.Variable(np.zeros((1, 1, 16, 8), "float32"), name="body")
        for _ in range(60):
            with tf.GradientTape() as tape:
                loss = keras.ops.mean((keras.ops.conv(x, kernel.value) - y) ** 2)
            optimiser.apply([tape.gradient(loss, kernel.value)], [kernel])
        return float(keras.ops.mean(((array(kernel.value) - target) * scales[:, None]) ** 2))

    assert train(ConvMuon(0.1)) < train(keras.optimizers.Adam(0.03))
