"""The papermill engine `ecr_widgets`: runs a notebook, judges every cell itself and saves a reliable record of the run."""
