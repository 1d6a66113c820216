"""The policy file and what runs it: ``contract`` says what a policy promises, ``file`` writes and verifies it,
``network`` looks through its ONNX graph, ``observation`` makes its input, ``runtime`` runs it."""
