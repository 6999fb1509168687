"""The runtime for one machine: it reads the manifests that Knative reads, and keeps to what they say."""
