"""What training processes send: records and files, taken once and kept before they are acknowledged."""
