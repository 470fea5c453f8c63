package image

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/nodes/boot"
)

// Parameter is a public parameter of AWS's in the Parameter Store that leads to an image.
type Parameter struct {
	Name, Value string
	// DataType is aws:ec2:image or text.
	DataType string
	Changed  time.Time
}

// Parameters are those of all images, by name.
var Parameters = sync.OnceValue(func() []Parameter {
	var all []Parameter
	for _, i := range All() {
		for _, path := range i.parameters {
			all = append(all, i.below(path)...)
		}
	}
	slices.SortFunc(all, func(a, b Parameter) int { return cmp.Compare(a.Name, b.Name) })
	return all
})

// below are an image's parameters below one of its paths.
func (i Image) below(path string) []Parameter {
	id := Parameter{path + "/image_id", i.ID, "aws:ec2:image", i.Created}
	text := func(name, value string) Parameter { return Parameter{path + name, value, "text", i.Created} }
	switch i.Family {
	case boot.AL2023, boot.AL2:
		whole, _ := json.Marshal(struct { // strings have JSON
			Schema  string `json:"schema_version"`
			ID      string `json:"image_id"`
			Name    string `json:"image_name"`
			Release string `json:"release_version"`
		}{"2", i.ID, i.Name, i.Release})
		return []Parameter{text("", string(whole)), id, text("/image_name", i.Name), text("/release_version", i.Release)}
	case boot.Bottlerocket:
		return []Parameter{id, text("/image_version", i.Release)}
	case boot.Windows:
		return []Parameter{id, text("/image_name", i.Name)}
	}
	id.Name = strings.TrimSuffix(id.Name, "/image_id")
	return []Parameter{id}
}
