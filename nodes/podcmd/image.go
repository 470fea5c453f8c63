package podcmd

import (
	"path"
	"slices"
	"strings"
)

// entryPoints are those of images whose commands are known, and what they run where no arguments are given.
var entryPoints = map[string]struct{ entry, usual []string }{
	"agnhost":  {[]string{"/agnhost"}, []string{"pause"}},
	"nautilus": {[]string{"/agnhost"}, []string{"test-webserver"}},
	"kitten":   {[]string{"/agnhost"}, []string{"test-webserver"}},
}

// Argv is what a container runs by its image, its command and its arguments, which a container without a command
// gives to its image's entry point. Of an image that is not known it is the arguments alone.
func Argv(image string, command, args []string) []string {
	known := entryPoints[ImageName(image)]
	switch {
	case len(command) > 0:
		return slices.Concat(command, args)
	case len(args) > 0:
		return slices.Concat(known.entry, args)
	}
	return slices.Concat(known.entry, known.usual)
}

// Images of which everybody knows that they say no user, and where they come from: their containers run as root.
var (
	rootImages     = []string{"agnhost", "busybox", "alpine", "debian", "ubuntu", "amazonlinux", "nginx", "httpd", "nautilus", "kitten"}
	rootRepository = []string{"", "library/", "docker.io/", "docker.io/library/", "public.ecr.aws/docker/library/", "public.ecr.aws/nginx/",
		"public.ecr.aws/amazonlinux/", "registry.k8s.io/e2e-test-images/"}
)

// RunsAsRoot says that a container of an image is known to run as root where its pod says nothing.
func RunsAsRoot(image string) bool {
	name := ImageName(image)
	repository, _, _ := strings.Cut(image, "@")
	repository = repository[:strings.LastIndexByte(repository, '/')+1]
	return slices.Contains(rootImages, name) && slices.Contains(rootRepository, repository)
}

// ImageName is the last part of an image's name, without tag and digest.
func ImageName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name, _, _ := strings.Cut(path.Base(image), ":")
	return name
}
