"""Explicit graphs: placeholders, variables, and sessions that run them. Old programs change their import line only.

>>> import neuroloom.session as nls
>>> x = nls.placeholder(nls.float32, [None, 2])
>>> w = nls.Variable(nls.ones([2, 1]))
>>> with nls.Session() as sess:
...     _ = sess.run(nls.global_variables_initializer())
...     print(sess.run(nls.matmul(x, w), feed_dict={x: [[1, 2], [3, 4]]}).tolist())
[[3.0], [7.0]]
"""

from neuroloom.calls import public
from neuroloom.session import nn, summary, train
from neuroloom.session.flow import cond, while_loop
from neuroloom.session.functions import (
    abs,
    add,
    add_n,
    argmax,
    argmin,
    cast,
    clip_by_norm,
    clip_by_value,
    concat,
    convert_to_tensor,
    cos,
    div,
    equal,
    exp,
    expand_dims,
    fill,
    floor,
    floordiv,
    gather,
    greater,
    greater_equal,
    identity,
    less,
    less_equal,
    log,
    logical_not,
    matmul,
    maximum,
    minimum,
    mod,
    multiply,
    negative,
    one_hot,
    ones,
    ones_like,
    placeholder,
    pow,
    range,
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
    reshape,
    round,
    sigmoid,
    sign,
    sin,
    split,
    sqrt,
    square,
    squeeze,
    stack,
    stop_gradient,
    subtract,
    tanh,
    tile,
    transpose,
    truediv,
    unstack,
    where,
    zeros,
    zeros_like,
)
from neuroloom.session.gradients import gradients
from neuroloom.session.graph import Graph, Tensor, Variable, constant, get_default_graph, reset_default_graph
from neuroloom.session.random import random_normal, random_uniform, set_random_seed, truncated_normal
from neuroloom.session.running import InteractiveSession, Session, learning_phase
from neuroloom.session.scopes import AUTO_REUSE, get_variable, get_variable_scope, name_scope, variable_scope
from neuroloom.session.state import (
    assign,
    assign_add,
    assign_sub,
    control_dependencies,
    global_variables,
    global_variables_initializer,
    group,
    no_op,
    trainable_variables,
    variables_initializer,
)

float16, float32, float64 = "float16", "float32", "float64"
int8, int16, int32, int64, uint8, bool, string = "int8", "int16", "int32", "int64", "uint8", "bool", "string"
mul, sub, divide, floormod, floor_div = multiply, subtract, truediv, mod, floordiv
initialize_all_variables = global_variables_initializer

__all__ = [
    "AUTO_REUSE", "Graph", "InteractiveSession", "Session", "Tensor", "Variable", "abs", "add", "add_n", "argmax",
    "argmin", "assign", "assign_add", "assign_sub", "bool", "cast", "clip_by_norm", "clip_by_value", "concat", "cond",
    "constant", "control_dependencies", "convert_to_tensor", "cos", "div", "divide", "equal", "exp", "expand_dims",
    "fill", "float16", "float32", "float64", "floor", "floor_div", "floordiv", "floormod", "gather",
    "get_default_graph", "get_variable", "get_variable_scope", "global_variables", "global_variables_initializer",
    "gradients", "greater", "greater_equal", "group", "identity", "initialize_all_variables", "int16", "int32",
    "int64", "int8", "learning_phase", "less", "less_equal", "log", "logical_not", "matmul", "maximum", "minimum",
    "mod", "mul", "multiply", "name_scope", "negative", "nn", "no_op", "one_hot", "ones", "ones_like", "placeholder",
    "pow", "random_normal", "random_uniform", "range", "reduce_all", "reduce_any", "reduce_max", "reduce_mean",
    "reduce_min", "reduce_prod", "reduce_sum", "reset_default_graph", "reshape", "round", "set_random_seed",
    "sigmoid", "sign", "sin", "split", "sqrt", "square", "squeeze", "stack", "stop_gradient", "string", "sub",
    "subtract", "summary", "tanh", "tile", "train", "trainable_variables", "transpose", "truediv", "truncated_normal",
    "uint8", "unstack", "variable_scope", "variables_initializer", "where", "while_loop", "zeros", "zeros_like",
]  # fmt: skip

public(__name__)
