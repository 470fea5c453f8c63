package boot

import "errors"

// sentence is an error in the words of a program of an image.
type sentence string

func (s sentence) Error() string { return string(s) }

const errWindows = sentence("Tripod has no Windows nodes: choose an image of Amazon Linux 2023 or Bottlerocket")

func parseAL2([]byte) (Config, []string, error) {
	return Config{}, nil, errors.New("AL2 is not there yet")
}

func parseBottlerocket([]byte) (Config, []string, error) {
	return Config{}, nil, sentence("Bottlerocket is not there yet")
}
