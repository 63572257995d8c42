# Runs every test, writes a report, and says how many passed as an output variable.
passed=0
failed=0
for test in tests/*.sh; do
    if sh "$test"; then
        passed=$((passed + 1))
        echo "ok      $test" | tee -a report.txt
    else
        failed=$((failed + 1))
        echo "FAILED  $test" | tee -a report.txt
    fi
done
number=$(printf '%s' "$passed" | base64)
echo "##octopus[setVariable name='$(printf Passed | base64)' value='$number']"
exit "$failed"
