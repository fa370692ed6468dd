"""Growth by trial: several web and worker processes against one PostgreSQL and one Redis, under load, some killed."""
