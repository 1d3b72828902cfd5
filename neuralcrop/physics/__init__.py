"""Physics of the model as pure functions: tensors in, tensors out, one file a process."""
