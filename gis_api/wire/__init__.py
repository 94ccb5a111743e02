"""Shapes on the wire: pydantic models of requests and answers, one file a resource."""
