migrate((app) => {
    app.save(new Collection({
        type: "base",
        name: "todos",
        listRule: "",
        viewRule: "",
        createRule: "",
        updateRule: "",
        deleteRule: "",
        fields: [
            {name: "content", type: "text", required: true, max: 1000},
            {name: "notes", type: "text", max: 16000},
            {name: "tags", type: "json"},
            {name: "priority", type: "text"},
            {name: "due", type: "text"},
            {name: "done", type: "bool"},
            {name: "created", type: "autodate", onCreate: true},
            {name: "updated", type: "autodate", onCreate: true, onUpdate: true},
        ],
        indexes: [
            "CREATE INDEX todos_created ON todos (created)",
            "CREATE INDEX todos_content ON todos (content)",
            "CREATE INDEX todos_done ON todos (done, created)",
        ],
    }))
})
