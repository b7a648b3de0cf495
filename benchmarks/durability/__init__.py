"""Tell what each durability costs on each store, and what it loses when its process is killed."""
