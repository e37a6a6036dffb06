"""Pictures that people upload, and copies of remote media: their bytes, never their names, decide what they are."""
