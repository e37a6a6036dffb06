"""Values of the domain: frozen, typed, without behaviour that touches the world.

Instants (``_at``) are integer milliseconds since 1970, UTC.
"""
