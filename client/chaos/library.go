package chaos

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed library/*.yaml
var files embed.FS

// Library are the names of the experiments that are here ready to run, in alphabetical order.
func Library() (names []string) {
	entries, err := fs.ReadDir(files, "library")
	if err != nil {
		panic(err) // it is in the program
	}
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".yaml"))
	}
	return names
}

// Find is the text of one of Library's experiments.
func Find(name string) (text []byte, found bool) {
	text, err := files.ReadFile(path.Join("library", name+".yaml"))
	return text, err == nil
}
