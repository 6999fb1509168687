"""The faces, driven in a real headless Chromium as a person drives them."""
