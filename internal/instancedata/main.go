// Command instancedata writes the table of package instancetypes.
//
// AWS tells what its instance types are only to those who have an account. Two projects, both under Apache-2.0, keep what
// it told them: moto has the answers of DescribeInstanceTypes (moto/ec2/resources/instance_types.json.gz), Karpenter's
// AWS provider has the price list (pkg/providers/pricing/zz_generated.pricing_aws.go). The table has the types that are in
// both, but for Apple's. The sources are arguments, and the table is checked in, so that neither a build nor CI needs
// them.
package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tripod/internal/instancetypes"
)

//go:generate go run . $INSTANCE_TYPES $PRICING_AWS ../instancetypes/types.txt

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "instancedata:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("give moto's instance_types.json.gz, Karpenter's zz_generated.pricing_aws.go and the table's file")
	}
	described, err := readTypes(args[0])
	if err != nil {
		return fmt.Errorf("read the types: %w", err)
	}
	prices, err := readPrices(args[1])
	if err != nil {
		return fmt.Errorf("read the prices: %w", err)
	}
	var lines []string
	for name, d := range described {
		price, priced := prices[name]
		if !priced || d.Processor.Manufacturer == "Apple" {
			continue
		}
		t, flags := d.table()
		t.Price = price
		lines = append(lines, instancetypes.Line(t, flags))
	}
	slices.SortFunc(lines, func(a, b string) int {
		left, _, _ := strings.Cut(a, "\t")
		right, _, _ := strings.Cut(b, "\t")
		return strings.Compare(left, right)
	})
	head := "# Instance types with their prices, after AWS's DescribeInstanceTypes and price list " +
		"(us-east-1, Linux, on demand), as moto and\n" +
		"# karpenter-provider-aws (both Apache-2.0) have them. Made by internal/instancedata; package instancetypes says what the fields are.\n"
	return os.WriteFile(args[2], []byte(head+strings.Join(lines, "\n")+"\n"), 0o644)
}

func readTypes(path string) (map[string]described, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	var all map[string]described
	return all, json.NewDecoder(plain).Decode(&all)
}

var priceLine = regexp.MustCompile(`"([a-z0-9-]+\.[a-z0-9-]+)": ([0-9.]+)`)

// readPrices are those of us-east-1, with which the source begins.
func readPrices(path string) (map[string]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	_, region, found := strings.Cut(string(text), `"us-east-1": {`)
	if !found {
		return nil, errors.New("there is no us-east-1")
	}
	region, _, _ = strings.Cut(region, "\n\t},")
	prices := map[string]float64{}
	for _, match := range priceLine.FindAllStringSubmatch(region, -1) {
		if prices[match[1]], err = strconv.ParseFloat(match[2], 64); err != nil {
			return nil, err
		}
	}
	return prices, nil
}
