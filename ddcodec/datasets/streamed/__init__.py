"""Images that are decoded where they lie, when somebody asks for them."""
