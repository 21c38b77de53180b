"""Messages of other APIs and programs in the form of `schemas.message_parts`: one module for each notation."""
