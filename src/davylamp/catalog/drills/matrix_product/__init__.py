"""The drill `matrix_product`."""
