"""The papermill engine `ecr_widgets`: runs a notebook, judges every cell itself and saves the run so that it stays true."""
