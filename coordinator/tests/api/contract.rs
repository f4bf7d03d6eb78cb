//! `openapi.yaml` and the router say the same, both ways.
