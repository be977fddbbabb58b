"""The network as an ONNX graph, written node by node with the `onnx` package.

Inputs `input_ids` and `attention_mask` int64 [batch, tokens]; outputs `logits`
float32 [batch, 3] and `embedding` float32 [batch, hidden], of length one. It is
model.forward in standard operators, with both axes free.
"""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

import model

OPSET = 20  # the first with Gelu; every ONNX Runtime from 1.17 on runs it
IR = 10


class Graph:
    """Collects nodes and constants; every call returns the name of its result."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def constant(self, name, value):
        self.constants[name] = np.asarray(value)
        return name

    def add(self, op, inputs, name, outputs=None, **attributes):
        outputs = outputs or [name]
        self.nodes.append(helper.make_node(op, inputs, outputs, name=name, **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    def words(self, table, ids, name, int8):
        """Rows of a table [V, H] by id; as int8 with a scale for every row if asked."""
        if not int8:
            return self.add("Gather", [self.constant("word", table), ids], name)
        scale = np.maximum(np.abs(table).max(-1, keepdims=True) / 127, 1e-12).astype(np.float32)
        small = self.constant("word", np.round(table / scale).astype(np.int8))
        row = self.add("Cast", [self.add("Gather", [small, ids], f"{name}.int8")], f"{name}.cast", to=TensorProto.FLOAT)
        return self.add("Mul", [row, self.add("Gather", [self.constant("word.scale", scale), ids], f"{name}.scale")], name)

    def dense(self, x, p, name):
        product = self.add("MatMul", [x, self.constant(f"{name}.w", p["w"])], f"{name}.matmul")
        return self.add("Add", [product, self.constant(f"{name}.b", p["b"])], name)

    def norm(self, x, p, name):
        scale, bias = self.constant(f"{name}.scale", p["scale"]), self.constant(f"{name}.bias", p["bias"])
        return self.add("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=model.NORM_EPSILON)


def _layer(g, p, x, hidden_bias, name, heads):
    size = p["out"]["w"].shape[0]
    # [B, T, 3H] to three times [B, A, T, H/A].
    qkv = g.add("Split", [g.dense(x, p["qkv"], f"{name}.qkv")], f"{name}.split",
                [f"{name}.{n}" for n in ("q", "k", "v")], axis=-1, num_outputs=3)
    q, k, v = (g.add("Reshape", [part, "heads_shape"], f"{part}.heads") for part in qkv)
    q = g.add("Transpose", [q], f"{name}.q.t", perm=[0, 2, 1, 3])
    k = g.add("Transpose", [k], f"{name}.k.t", perm=[0, 2, 3, 1])
    v = g.add("Transpose", [v], f"{name}.v.t", perm=[0, 2, 1, 3])
    scores = g.add("Mul", [g.add("MatMul", [q, k], f"{name}.qk"), "scale"], f"{name}.scaled")
    weights = g.add("Softmax", [g.add("Add", [scores, hidden_bias], f"{name}.masked")], f"{name}.weights", axis=-1)
    mixed = g.add("Transpose", [g.add("MatMul", [weights, v], f"{name}.mix")], f"{name}.mix.t", perm=[0, 2, 1, 3])
    mixed = g.add("Reshape", [mixed, g.constant(f"{name}.flat", np.array([0, 0, size], np.int64))], f"{name}.mixed")
    x = g.norm(g.add("Add", [x, g.dense(mixed, p["out"], f"{name}.out")], f"{name}.sum"), p["out_norm"], f"{name}.out_norm")
    up = g.add("Gelu", [g.dense(x, p["up"], f"{name}.up")], f"{name}.gelu")
    down = g.dense(up, p["down"], f"{name}.down")
    return g.norm(g.add("Add", [x, down], f"{name}.sum2"), p["down_norm"], f"{name}.down_norm")


def build(params, heads=model.ATTENTION_HEADS, int8_words=False):
    """Parameters (numpy) to a checked ONNX model, in float32 but for the word table if asked."""
    g = Graph()
    hidden = params["embed"]["word"].shape[1]
    f32 = np.float32
    g.constant("heads_shape", np.array([0, 0, heads, hidden // heads], np.int64))
    g.constant("scale", f32(1 / np.sqrt(hidden // heads)))

    # Embeddings: words by id, places by 0..tokens-1.
    g.constant("zero", np.array(0, np.int64))
    g.constant("one", np.array(1, np.int64))
    count = g.add("Gather", [g.add("Shape", ["input_ids"], "shape"), "one"], "count", axis=0)
    places = g.add("Range", ["zero", count, "one"], "places")
    words = g.words(params["embed"]["word"], "input_ids", "words", int8_words)
    place = g.add("Gather", [g.constant("place", params["embed"]["place"]), places], "place_vectors")
    x = g.norm(g.add("Add", [words, place], "embed_sum"), params["embed"]["norm"], "embed")

    # Padding is hidden from attention: [B, 1, 1, T].
    mask = g.add("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    g.constant("one_f", f32(1))
    absent = g.add("Sub", ["one_f", mask], "absent")
    wide = g.add("Unsqueeze", [absent, g.constant("axes12", np.array([1, 2], np.int64))], "absent4")
    bias = g.add("Mul", [wide, g.constant("minus", f32(-1e9))], "bias")
    # Mean over the tokens that are there.
    g.constant("axis1", np.array([1], np.int64))
    m = g.add("Unsqueeze", [mask, g.constant("axis2", np.array([2], np.int64))], "mask3")
    number = g.add("Max", [g.add("ReduceSum", [m, "axis1"], "number", keepdims=0), "one_f"], "number1")

    def mean_of(x, name):
        total = g.add("ReduceSum", [g.add("Mul", [x, m], f"{name}.present"), "axis1"], f"{name}.total", keepdims=0)
        return g.add("Div", [total, number], name)

    for i, p in enumerate(params["layers"]):
        x = _layer(g, p, x, bias, f"layer{i}", heads)
        if i + 1 == model.UNTOUCHED:
            low = g.add("Sub", [mean_of(x, "low_mean"), g.constant("centre", params["centre"])], "low_centred")

    mean = mean_of(x, "mean")
    far = g.add("Unsqueeze", [absent, "axis2"], "absent3")
    lowered = g.add("Add", [x, g.add("Mul", [far, g.constant("lowest", f32(-1e4))], "lower")], "lowered")
    peak = g.add("ReduceMax", [lowered, "axis1"], "peak", keepdims=0)
    g.dense(g.add("Concat", [mean, peak], "pooled", axis=-1), params["head"], "logits")
    length = g.add("ReduceL2", [low, g.constant("last", np.array([-1], np.int64))], "length", keepdims=1)
    g.add("Div", [low, g.add("Max", [length, g.constant("tiny", f32(1e-12))], "length1")], "embedding")

    int64, axes = TensorProto.INT64, ["batch", "tokens"]
    graph = helper.make_graph(
        g.nodes, "guard",
        [helper.make_tensor_value_info(n, int64, axes) for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", model.CLASSES]),
         helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", hidden])],
        [numpy_helper.from_array(v, n) for n, v in g.constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="portcullis")
    checker.check_model(made, full_check=True)
    return made
