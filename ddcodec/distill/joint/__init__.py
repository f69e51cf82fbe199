"""Phase 2: integers move where bits and a distillation loss make it pay."""
