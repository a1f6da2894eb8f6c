"""Where frames come from: one module or package a kind of source; ``open`` finds it by address."""
