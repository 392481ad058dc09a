"""The store on disk: layout, snapshots, writer, packs, object storage, verification."""
