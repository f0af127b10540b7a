"""One small module per family of operations; `registry` names them all."""
