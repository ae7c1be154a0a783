"""Slow attention among images of one identity, a head, a node and a neighbour at a time."""

import math

import torch
from torch.nn.functional import leaky_relu


def projected(graph, nodes, head):
    """H of a head, for each node."""
    width = graph.score.shape[2]
    rows = slice(head * width, (head + 1) * width)
    return [graph.project.weight[rows] @ node + graph.project.bias[rows] for node in nodes]


def attention(graph, nodes, labels):
    """Weights (M, K, K) of an `IdentityGraph`."""
    weights = torch.zeros(graph.heads, len(nodes), len(nodes))
    for head in range(graph.heads):
        h, w = projected(graph, nodes, head), graph.score[head].flatten()
        for i in range(len(nodes)):
            neighbours = [j for j in range(len(nodes)) if labels[j] == labels[i]]
            powers = [math.exp(leaky_relu(w @ torch.cat([h[i], h[j]]), 0.2)) for j in neighbours]
            for j, power in zip(neighbours, powers, strict=True):
                weights[head, i, j] = power / sum(powers)
    return weights
