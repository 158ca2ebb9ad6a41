"""What the layouts read with: folders, text files, pictures' sizes, data.yaml."""
