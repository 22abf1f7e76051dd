"""The index: what journals say as rows that can be searched, and the news of what has changed."""
