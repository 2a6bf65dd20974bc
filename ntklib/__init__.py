"""Kernels of infinitely wide neural networks: one recursion, many mixings."""

from ntklib.aggregation import GraphMixing
from ntklib.claims import ClaimError, ClaimRecord, check, claim
from ntklib.cochains import Cochains
from ntklib.complexes import SimplicialComplex
from ntklib.convolution import Convolution, ConvolutionNetwork, mean_over_sites
from ntklib.dense import Dense, DenseMixing, DenseNetwork
from ntklib.duals import AbstractDual, Erf, Relu
from ntklib.dynamics import GradientFlow
from ntklib.empirical import empirical_ntk, linearize
from ntklib.graph import Graph, GraphNetwork
from ntklib.graphon import GraphonKernel, GraphonNetwork
from ntklib.graphon_layers import GraphonLayers, expand_input_masks
from ntklib.graphon_mixing import GraphonMixing, path_density
from ntklib.graphons import (
    AbstractGraphon,
    ConstantGraphon,
    LowRankGraphon,
    SmoothGraphon,
    StepGraphon,
)
from ntklib.graphs import GraphBatch
from ntklib.hodge import Hodge, betti, projectors
from ntklib.propagation import Propagation, SimplicialMixing
from ntklib.rates import PowerLaw, power_law
from ntklib.recurrent import Recurrent, RecurrentNetwork
from ntklib.recursion import (
    AbstractMixing,
    Covariances,
    Kernels,
    activate,
    affine,
    layer,
    variances,
)
from ntklib.residual import Residual, ResidualNetwork, skip
from ntklib.sequences import SequenceBatch
from ntklib.simplicial import Convention, Simplicial, SimplicialNetwork
from ntklib.windows import ConvolutionMixing, Window

__version__ = "0.1.0"

__all__ = [
    "AbstractDual",
    "AbstractGraphon",
    "AbstractMixing",
    "ClaimError",
    "ClaimRecord",
    "Cochains",
    "ConstantGraphon",
    "Convention",
    "Convolution",
    "ConvolutionMixing",
    "ConvolutionNetwork",
    "Covariances",
    "Dense",
    "DenseMixing",
    "DenseNetwork",
    "Erf",
    "GradientFlow",
    "Graph",
    "GraphBatch",
    "GraphMixing",
    "GraphNetwork",
    "GraphonKernel",
    "GraphonLayers",
    "GraphonMixing",
    "GraphonNetwork",
    "Hodge",
    "Kernels",
    "LowRankGraphon",
    "PowerLaw",
    "Propagation",
    "Recurrent",
    "RecurrentNetwork",
    "Relu",
    "Residual",
    "ResidualNetwork",
    "SequenceBatch",
    "Simplicial",
    "SimplicialComplex",
    "SimplicialMixing",
    "SimplicialNetwork",
    "SmoothGraphon",
    "StepGraphon",
    "Window",
    "activate",
    "affine",
    "betti",
    "check",
    "claim",
    "empirical_ntk",
    "expand_input_masks",
    "layer",
    "linearize",
    "mean_over_sites",
    "path_density",
    "power_law",
    "projectors",
    "skip",
    "variances",
]
