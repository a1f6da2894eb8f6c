"""From a comparison record to what people read: tables, pictures, files and the HTML report."""
